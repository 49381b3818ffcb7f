/// Collects a body of a stated length, or one in chunks, as its bytes arrive.
///
/// Chunks have no extensions here: no client of ours sends them, and readers have disagreed about where they end.
struct BodyReader {
    private enum Stage {
        case length(left: Int)
        case chunkSize(LineReader)
        case chunk(left: Int)
        case chunkEnd
        case trailers(LineReader)
    }

    private var stage: Stage
    private let limit: Int
    private let trailerLimit: Int
    private var trailerSize = 0
    private var body: [UInt8] = []

    /// - Parameters:
    ///   - start: where the body begins in the bytes.
    ///   - limit: the most bytes of the body.
    ///   - trailerLimit: the most bytes of the fields after the chunks.
    init(_ framing: RequestHead.Body, at start: Int, limit: Int, trailerLimit: Int) throws(HeadFault) {
        self.limit = limit
        self.trailerLimit = trailerLimit
        switch framing {
        case .none: stage = .length(left: 0)
        case .chunked: stage = .chunkSize(LineReader(at: start))
        case .length(let count):
            guard count <= limit else { throw HeadFault(Problem.bodyTooLarge(limit: limit)) }
            stage = .length(left: count)
        }
    }

    /// The body, once it is whole; `position` moves past what has been read.
    mutating func next(in input: [UInt8], at position: inout Int) throws(HeadFault) -> [UInt8]? {
        while true {
            switch stage {
            case .length(let left):
                let rest = take(left, of: input, at: &position)
                stage = .length(left: rest)
                return rest == 0 ? body : nil
            case .chunkSize(var lines):
                let line = try lines.next(in: input)
                guard let line else {
                    guard lines.pending <= Self.maximumDigits else { throw Self.badSize }
                    stage = .chunkSize(lines)
                    return nil
                }
                position = lines.start
                let size = try Self.size(input[line])
                guard size <= limit - body.count else { throw HeadFault(Problem.bodyTooLarge(limit: limit)) }
                stage = size == 0 ? .trailers(LineReader(at: position)) : .chunk(left: size)
            case .chunk(let left):
                let rest = take(left, of: input, at: &position)
                stage = rest == 0 ? .chunkEnd : .chunk(left: rest)
                if rest > 0 { return nil }
            case .chunkEnd:
                guard position < input.count else { return nil }
                guard input[position] == 0x0D else { throw HeadFault("A chunk does not end where it should.") }
                guard position + 1 < input.count else { return nil }
                guard input[position + 1] == 0x0A else { throw HeadFault("A chunk does not end where it should.") }
                position += 2
                stage = .chunkSize(LineReader(at: position))
            case .trailers(var lines):
                guard let line = try lines.next(in: input) else {
                    guard trailerSize + lines.pending <= trailerLimit else { throw tooLongTrailers }
                    stage = .trailers(lines)
                    return nil
                }
                position = lines.start
                stage = .trailers(lines)
                if line.isEmpty { return body }
                trailerSize += line.count + 2
                guard trailerSize <= trailerLimit else { throw tooLongTrailers }
                // Read so that it is certain where they end, and then dropped.
                _ = try FieldLine.field(input[line])
            }
        }
    }

    /// The bytes have been moved towards the beginning by that many.
    mutating func move(by count: Int) {
        switch stage {
        case .chunkSize(var lines):
            lines.move(by: count)
            stage = .chunkSize(lines)
        case .trailers(var lines):
            lines.move(by: count)
            stage = .trailers(lines)
        case .length, .chunk, .chunkEnd: break
        }
    }

    private mutating func take(_ count: Int, of input: [UInt8], at position: inout Int) -> Int {
        let taken = min(count, input.count - position)
        if taken > 0 {
            body.append(contentsOf: input[position..<position + taken])
            position += taken
        }
        return count - taken
    }

    private static let maximumDigits = 15

    private static func size(_ line: ArraySlice<UInt8>) throws(HeadFault) -> Int {
        guard !line.isEmpty, line.count <= maximumDigits else { throw badSize }
        var size = 0
        for byte in line {
            guard let digit = hexadecimalValue(byte) else { throw badSize }
            size = size << 4 | Int(digit)
        }
        return size
    }

    private static var badSize: HeadFault { HeadFault("The size of a chunk is not a number.") }

    private var tooLongTrailers: HeadFault { HeadFault(Problem.headersTooLarge(limit: trailerLimit)) }
}
