import CSockets
import Glibc

/// The address that a connection comes from, without its port; IPv4 within IPv6 counts as IPv4.
public struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The sixteen bytes of the IPv6 address, those of an IPv4 address mapped.
    private let high: UInt64
    private let low: UInt64

    private static let mapped: UInt64 = 0xFFFF_0000_0000

    /// The address in a socket's; nil when it is of another family.
    init?(_ address: UnsafePointer<sockaddr>) {
        let raw = unsafe UnsafeRawPointer(address)
        switch unsafe warren_address_family(address) {
        case AF_INET:
            let value = UInt32(bigEndian: unsafe raw.assumingMemoryBound(to: sockaddr_in.self).pointee.sin_addr.s_addr)
            high = 0
            low = Self.mapped | UInt64(value)
        case AF_INET6:
            var address = unsafe raw.assumingMemoryBound(to: sockaddr_in6.self).pointee.sin6_addr
            let bytes = unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
            high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
            low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
        default: return nil
        }
    }

    /// Makes an IPv4 address, for tests.
    init(ipv4 value: UInt32) {
        high = 0
        low = Self.mapped | UInt64(value)
    }

    private var isIPv4: Bool { high == 0 && low >> 32 == Self.mapped >> 32 }

    /// Whether it is of 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        isIPv4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1
    }

    /// The address as text, IPv6 without brackets.
    public var description: String {
        if isIPv4 { return [24, 16, 8, 0].map { String(low >> $0 & 0xFF) }.joined(separator: ".") }
        var bytes = [high, low].flatMap { word in stride(from: 56, through: 0, by: -8).map { UInt8(word >> $0 & 0xFF) }
        }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard unsafe inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil else { return "::" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
