"""Where prompts, human answers, gold pairs and start models come from."""
