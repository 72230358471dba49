//! Receivers that fetch.
