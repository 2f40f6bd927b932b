//! A load on the allocator as Hearth makes it: one thread builds small strings, another drops them.
//! Prints the processor time that it took, in milliseconds.

use std::sync::mpsc::sync_channel;

const PAIRS: usize = 2;
const MESSAGES: usize = 40_000;
const PARTS: usize = 24;

fn main() {
    std::thread::scope(|threads| {
        for _ in 0..PAIRS {
            let (send, receive) = sync_channel::<Vec<String>>(256);
            threads.spawn(move || {
                for message in 0..MESSAGES {
                    let part = |n| format!("{}-{message}", "x".repeat(n * 7 % 90));
                    send.send((0..PARTS).map(part).collect()).expect("the reader lives");
                }
            });
            threads.spawn(move || {
                let bytes: usize = receive.iter().flatten().map(|part| part.len()).sum();
                assert!(bytes > MESSAGES * PARTS);
            });
        }
    });
    println!("{}", processor_milliseconds());
}

/// User and system time of this process, from the kernel's counters of a hundredth of a second.
fn processor_milliseconds() -> u64 {
    let line = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let after_name = line.rsplit(") ").next().expect("the name ends with a bracket");
    let ticks = |n: usize| -> u64 { after_name.split(' ').nth(n).unwrap().parse().unwrap() };
    (ticks(11) + ticks(12)) * 10
}
