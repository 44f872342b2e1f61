"""The rule graph in agreement with Neo4j: changes of rules go there, what is curated there comes back."""

import sys

__all__ = ["neo4j"]

# The driver loads pandas and numpy where they are installed (the flight data's package brings them), for methods that nothing
# here calls: 45 MB of the daemon, and 0.3 s of every command. None says that there is no such module.
_UNUSED = {"numpy", "pandas"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import neo4j  # noqa: E402

for _name in _UNUSED:
    del sys.modules[_name]
