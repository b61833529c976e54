"""Part of bench_engines.py: `vllm.LLM` behind a socket, as a script would use it. It imports vLLM alone.

The first message holds the arguments of LLM, each later one the token ids of prompts and for each of them the
arguments of SamplingParams; the answer is how many tokens were drawn, and the seconds of `generate`. Prompts are new
each time: what the engine keeps of those before is dropped, or it would read them in the first call alone.
"""

import sys
import time
from multiprocessing.connection import Connection


def main() -> None:
    """Serves until the other end is gone."""
    connection = Connection(int(sys.argv[1]))
    from vllm import LLM, SamplingParams

    llm = LLM(**connection.recv())
    while True:
        try:
            rows, params = connection.recv()
        except EOFError:
            return
        prompts = [{"prompt_token_ids": row} for row in rows]
        llm.reset_prefix_cache()
        began = time.perf_counter()
        outputs = llm.generate(prompts, [SamplingParams(**one) for one in params], use_tqdm=False)
        seconds = time.perf_counter() - began
        connection.send((sum(len(one.token_ids) for output in outputs for one in output.outputs), seconds))


if __name__ == "__main__":
    main()
