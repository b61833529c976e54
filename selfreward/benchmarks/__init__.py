"""Cases whose truth is known: the detector and the controller are held against them."""
