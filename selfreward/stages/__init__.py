"""One file for each stage of the loop, and for those that read its data.

A stage is a function `stage(out, spec, *, ...inputs)` beside a `VERSION`. It reads its declared inputs, writes below
`out.path`, draws randomness from `seed` and knows nothing else. Raise VERSION when its results change.
"""
