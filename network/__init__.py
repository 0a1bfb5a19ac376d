"""People, ties and the social structure of their messages, as functions over a networkx graph."""
