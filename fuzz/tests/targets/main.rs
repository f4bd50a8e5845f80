//! One property, at least, of every parser of bytes that come from outside.

mod audit;
mod history;
mod json;
mod records;
mod seals;
mod texts;
