//! Servers and what goes with them: made, changed where they are, found broken, made again.
