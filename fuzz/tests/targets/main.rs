//! One property, at least, of every parser of bytes that come from outside.

mod audit;
mod bearer;
mod files;
mod history;
mod json;
mod mcp;
mod records;
mod seals;
mod signing;
mod surface;
mod texts;
