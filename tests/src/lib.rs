//! Tests of holdfast from outside: vectors, attacks, crashes, command line.
