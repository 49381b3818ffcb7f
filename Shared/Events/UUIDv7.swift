import Synchronization
import Telemetry

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
        /// Random numbers in store for this millisecond: asking the system for each would be a system call for each.
        var randoms: [UInt64] = []

        mutating func random() -> UInt64 {
            if randoms.isEmpty {
                randoms.append(contentsOf: repeatElement(0, count: 16))
                let status = randoms.withUnsafeMutableBytes { bytes in
                    bytes.baseAddress.map { getentropy($0, bytes.count) } ?? -1
                }
                guard status == 0 else {
                    randoms.removeAll()
                    return .random(in: .min ... .max)
                }
            }
            return randoms.removeLast()
        }
    }

    private static let state = Mutex(State())

    /// Makes the next identifier, 36 characters.
    ///
    /// Thread-safe.
    public static func make() -> String {
        let now = UInt64(clamping: Timestamp.nowMilliseconds())
        let (milliseconds, counter, random) = state.withLock { state -> (UInt64, UInt16, UInt64) in
            if now > state.milliseconds {
                state.milliseconds = now
                state.randoms.removeAll(keepingCapacity: true)
                // Starting low leaves room to count within the millisecond.
                state.counter = UInt16(truncatingIfNeeded: state.random() & 0x3FF)
            } else if state.counter < 0xFFF {
                state.counter += 1
            } else {
                state.milliseconds += 1
                state.counter = 0
            }
            return (state.milliseconds, state.counter, state.random())
        }
        return text(
            high: milliseconds << 16 | 0x7000 | UInt64(counter),
            low: random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    private static func text(high: UInt64, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = nibble < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble % 16)) & 0xF)
                buffer[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                position += 1
            }
            return position
        }
    }
}

/// The clock on the wall, in milliseconds since 1970-01-01T00:00:00Z.
public enum WallClock {
    /// The time now, as `Timestamp` has it.
    public static func milliseconds() -> Int64 { Timestamp.nowMilliseconds() }
}
