//! Every resource type at once: what was made is left alone.
