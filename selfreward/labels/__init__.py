"""Labels from people: which pairs to ask about, what labellers see of them, and what comes back."""
