"""Names of a library that stand for something else: put back whatever happens, and never made up."""

from types import SimpleNamespace

import pytest

from selfreward.replaced import replaced


def test_names_are_replaced_inside_and_put_back_also_where_it_fails():
    library = SimpleNamespace(asks=1, tells=2)
    with replaced(library, asks=3):
        assert vars(library) == {"asks": 3, "tells": 2}
    assert library.asks == 1
    with pytest.raises(KeyError), replaced(library, asks=3, tells=4):
        raise KeyError
    assert vars(library) == {"asks": 1, "tells": 2}


def test_a_name_that_the_library_lacks_stays_away():
    library = SimpleNamespace()
    with replaced(library, asks=3):
        assert vars(library) == {}
