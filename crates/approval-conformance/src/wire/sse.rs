//! Server-sent events: what a streamable answer comes in.

/// Takes bytes as they come, and gives the data of each event that is whole.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<String>,
}

impl Events {
    /// The data of the events that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data).join("\n");
                // An event without data only names a place from which to go on reading.
                if !data.is_empty() {
                    whole.push(data);
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn events_come_whole_however_the_bytes_do() {
        let text = b"event: message\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n: comment\n\ndata:2\n\n";
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<String> = text.chunks(size).flat_map(|bytes| events.push(bytes)).collect();
            assert_eq!(found, ["{\"a\":\n1}", "2"], "in pieces of {size}");
        }
    }
}
