"""Stage 3: models and photographs into pictures and a page."""
