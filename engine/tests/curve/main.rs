//! Sums of points: every back end against plain doubling and adding, and the tables of fixed bases.

mod conformance;
mod faulty;
mod points;
mod table;
