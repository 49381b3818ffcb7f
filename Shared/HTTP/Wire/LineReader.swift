/// Finds lines in bytes that arrive in pieces: the request's line, its fields, the sizes of chunks.
///
/// A line ends in CR LF and in nothing else, and holds no control character but the tab; no byte is looked at twice.
struct LineReader {
    /// Where the line begins that has not been found whole yet.
    private(set) var start: Int
    private var scanned: Int

    init(at start: Int) {
        self.start = start
        scanned = start
    }

    /// The next line, without its end; nil while it has not arrived.
    mutating func next(in input: [UInt8]) throws(HeadFault) -> Range<Int>? {
        while scanned < input.count {
            let byte = input[scanned]
            if byte > 0x20 && byte != 0x7F || byte == 0x20 || byte == 0x09 {
                scanned += 1
                continue
            }
            switch byte {
            case 0x0D:
                guard scanned + 1 < input.count else { return nil }
                guard input[scanned + 1] == 0x0A else { throw HeadFault("A carriage return stands alone.") }
                let line = start..<scanned
                scanned += 2
                start = scanned
                return line
            case 0x0A: throw HeadFault("A line ends without a carriage return.")
            default: throw HeadFault("There is a control character where none may be.")
            }
        }
        return nil
    }

    /// How much of the line has arrived.
    var pending: Int { scanned - start }

    /// The bytes have been moved towards the beginning by that many.
    mutating func move(by count: Int) {
        start -= count
        scanned -= count
    }
}
