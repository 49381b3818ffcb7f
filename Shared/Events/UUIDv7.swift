import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Time-ordered identifiers (RFC 9562, version 7) as lower-case text.
///
/// Within one process they are strictly increasing: the 12 bits after the milliseconds count those of one millisecond
/// (RFC 9562, section 6.2, method 1), and a clock that goes back does not take them back.
public enum UUIDv7 {
    private struct State {
        var milliseconds: UInt64 = 0
        var counter: UInt16 = 0
    }

    private static let state = Mutex(State())

    /// Makes the next identifier, 36 characters.
    ///
    /// Thread-safe.
    public static func make() -> String {
        let now = UInt64(clamping: WallClock.milliseconds())
        let (milliseconds, counter) = state.withLock { state -> (UInt64, UInt16) in
            if now > state.milliseconds {
                state.milliseconds = now
                // Starting low leaves room to count within the millisecond.
                state.counter = UInt16.random(in: 0..<0x400)
            } else if state.counter < 0xFFF {
                state.counter += 1
            } else {
                state.milliseconds += 1
                state.counter = 0
            }
            return (state.milliseconds, state.counter)
        }
        let random = UInt64.random(in: 0...UInt64.max)
        return text(
            high: milliseconds << 16 | 0x7000 | UInt64(counter),
            low: random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    private static func text(high: UInt64, low: UInt64) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = nibble < 16 ? high : low
                buffer[position] = digits[Int(word >> UInt64(60 - 4 * (nibble % 16)) & 0xF)]
                position += 1
            }
            return position
        }
    }
}

/// The clock on the wall, in milliseconds since 1970-01-01T00:00:00Z.
public enum WallClock {
    /// The time now (`clock_gettime`, `CLOCK_REALTIME`).
    public static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
