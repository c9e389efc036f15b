//! What the document cannot say: unit, description in our words, scope, key rule, largest window, sentinels, code tables.
