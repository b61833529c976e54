"""Seeds a judge from human rankings: rankings, replies, seed."""
