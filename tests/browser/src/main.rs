//! Takes a picture of each page: on a desk and on a phone, in light and in dark. `cargo xtask shots DIR` runs it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command-line program speaks on its standard streams")]

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use browser::{Driver, Gallery, Palette};

/// How wide a page is laid out, in CSS pixels.
const WIDTHS: [(&str, u32); 2] = [("desktop", 1200), ("phone", 375)];

/// The picture of the top README: which page, and how much of it.
const FRONT: &str = "plan-desktop-light.png";
const FRONT_NAME: &str = "front.png";
const FRONT_HEIGHT: u64 = 1030;

fn main() -> Result<()> {
    let directory = PathBuf::from(std::env::args_os().nth(1).context("say where the pictures go: shots DIR")?);
    fs::create_dir_all(&directory)?;
    let write = |name: &str, picture: Vec<u8>| {
        fs::write(directory.join(name), picture).with_context(|| format!("writing `{name}`"))
    };
    let driver = Driver::start()?;
    for palette in Palette::ALL {
        for (device, width) in WIDTHS {
            let (gallery, browser) = (Gallery::new()?, driver.open()?);
            browser.set_palette(palette)?;
            browser.set_width(width)?;
            gallery.each(&browser, |page| {
                let name = format!("{}-{device}-{}.png", page.name, palette.name());
                if name == FRONT {
                    write(FRONT_NAME, browser.picture(FRONT_HEIGHT)?)?;
                }
                write(&name, browser.picture(u64::MAX)?)
            })?;
            println!("{} pages, {device}, {}", gallery.pages.len(), palette.name());
        }
    }
    Ok(())
}
