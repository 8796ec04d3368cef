"""Credit: how one completion's advantage is shared among its tokens."""
