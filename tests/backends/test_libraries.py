"""Loading the libraries: what they leave is not searched for cycles again."""

import subprocess
import sys


def test_libraries_are_set_aside_and_what_comes_later_is_collected():
    code = """
import gc
import sys
import weakref
from selfreward.backends.libraries import load_libraries

load_libraries()
aside = gc.get_freeze_count()
searched = len(gc.get_objects())


class Knot:
    pass


knot = Knot()
knot.self = knot
gone = weakref.ref(knot)
del knot
gc.collect()
from transformers.utils import is_sklearn_available

print(aside > 100_000, searched < aside / 10, gc.isenabled(), gone() is None)
print("sklearn" not in sys.modules, is_sklearn_available())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True"] * 6


def test_a_training_loads_neither_scipy_nor_scikit_learn_and_leaves_them_to_others():
    code = """
import sys
from selfreward.updates.libraries import load_trainers

load_trainers()
from trl.trainer import dpo_trainer, kto_trainer, reward_trainer, sft_trainer
from transformers.utils import is_scipy_available, is_sklearn_available

print("sklearn" not in sys.modules, "scipy.stats" not in sys.modules, is_sklearn_available(), is_scipy_available())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True"] * 4
