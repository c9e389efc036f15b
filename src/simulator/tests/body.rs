//! The person: shapes that always hold, and what is followed by what.
