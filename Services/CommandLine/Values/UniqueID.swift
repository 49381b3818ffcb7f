import FoundationEssentials

/// Ids for events and requests that this command makes.
enum UniqueID {
    /// A UUIDv7 (RFC 9562, section 5.7) of the present time: ids sort by the millisecond in which they were made.
    static func make() -> String {
        make(milliseconds: UInt64(max(0, Date().timeIntervalSince1970 * 1000)), random: UUID().uuid)
    }

    /// A UUIDv7 of that time; the random bits of a version 4 id lie in the same places.
    static func make(milliseconds: UInt64, random: uuid_t) -> String {
        var bytes = random
        bytes.0 = UInt8(truncatingIfNeeded: milliseconds >> 40)
        bytes.1 = UInt8(truncatingIfNeeded: milliseconds >> 32)
        bytes.2 = UInt8(truncatingIfNeeded: milliseconds >> 24)
        bytes.3 = UInt8(truncatingIfNeeded: milliseconds >> 16)
        bytes.4 = UInt8(truncatingIfNeeded: milliseconds >> 8)
        bytes.5 = UInt8(truncatingIfNeeded: milliseconds)
        bytes.6 = (bytes.6 & 0x0F) | 0x70
        return UUID(uuid: bytes).uuidString.lowercased()
    }
}
