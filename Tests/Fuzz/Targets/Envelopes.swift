import Events

/// Event envelopes: what is taken is written and read again as the same envelope.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    do throws(EventFault) {
        let envelope = try Envelope(decoding: bytes)
        let encoded = envelope.encoded()
        guard let again = try? Envelope(decoding: encoded, limits: EventLimits(size: encoded.count)) else {
            preconditionFailure("what was written cannot be read")
        }
        precondition(again == envelope, "an envelope changed on its way")
        precondition(again.encoded() == encoded)
    } catch {
        precondition(!error.description.isEmpty)
    }
    return 0
}
