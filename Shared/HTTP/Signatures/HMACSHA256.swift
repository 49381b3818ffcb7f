/// HMAC-SHA-256 (RFC 2104, FIPS 198-1): the code of a message under a secret.
public enum HMACSHA256 {
    /// The code, 32 bytes.
    ///
    /// It takes whatever key it is given; that an empty one proves nothing is for those to see to who verify by it
    /// (`WebhookSignature` does).
    public static func code(of message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> [UInt8] {
        var block = Array(key)
        if block.count > SHA256.blockLength { block = SHA256.digest(block) }
        block += [UInt8](repeating: 0, count: SHA256.blockLength - block.count)
        var inner = SHA256()
        inner.update(block.lazy.map { $0 ^ 0x36 })
        inner.update(message)
        var outer = SHA256()
        outer.update(block.lazy.map { $0 ^ 0x5c })
        outer.update(inner.finish())
        return outer.finish()
    }

    /// Whether two codes are the same, in a time that depends on their lengths alone.
    public static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}
