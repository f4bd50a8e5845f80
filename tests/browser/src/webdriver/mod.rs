//! Chromium by WebDriver (W3C), with the few commands that the tests need, and the Chrome DevTools protocol behind it for what
//! WebDriver has no word for: a width, a palette, a picture of the whole page.

mod browser;
mod driver;
mod element;

pub use browser::{Browser, Key, Palette};
pub use driver::Driver;
pub use element::Element;
