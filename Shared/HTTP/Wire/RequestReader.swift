/// Reads requests out of the bytes of one connection, in whatever pieces they arrive.
///
/// A pure value: `receive` takes bytes, `next` says what to do. After a refusal nothing more is read: where the next request
/// begins is not certain then.
struct RequestReader {
    /// A whole request.
    struct Request {
        let head: RequestHead
        let body: [UInt8]
    }

    /// What is to be done now.
    enum Step {
        /// Nothing, until more arrives.
        case wait
        /// Tell the client to send the body, and ask again.
        case allowBody
        /// Answer the request, and ask again after that.
        case answer(Request)
        /// Tell the client, and end the connection.
        case refuse(Problem)
    }

    /// How much of the next request has arrived.
    enum Progress {
        case nothing
        case head
        case body
    }

    private enum Stage {
        case head(HeadReader)
        case body(RequestHead, BodyReader)
        case over
    }

    private let limits: HTTPServer.Limits
    private var input: [UInt8] = []
    private var position = 0
    private var stage: Stage

    init(limits: HTTPServer.Limits) {
        self.limits = limits
        stage = .head(HeadReader(at: 0, limit: limits.headerSize))
    }

    /// The method of the request that is being read, as far as it is known.
    private(set) var method = ""

    /// How much of the next request has arrived.
    var progress: Progress {
        switch stage {
        case .head: position < input.count ? .head : .nothing
        case .body: .body
        case .over: .nothing
        }
    }

    /// Whether bytes have arrived that belong to no request yet.
    var hasMore: Bool { position < input.count }

    /// Takes what has arrived.
    mutating func receive(_ bytes: some Sequence<UInt8>) { input.append(contentsOf: bytes) }

    /// What is to be done now.
    mutating func next() -> Step {
        do throws(HeadFault) {
            return try step()
        } catch {
            stage = .over
            input = []
            position = 0
            return .refuse(error.problem)
        }
    }

    private mutating func step() throws(HeadFault) -> Step {
        switch stage {
        case .over: return .wait
        case .head(var reader):
            // Taken out, so that what the reader holds has one owner and is not copied.
            stage = .over
            defer { method = reader.method }
            guard let head = try reader.next(in: input) else {
                stage = .head(reader)
                return .wait
            }
            position = reader.end
            let body = try BodyReader(
                head.body,
                at: position,
                limit: limits.bodySize,
                trailerLimit: limits.headerSize
            )
            stage = .body(head, body)
            let mustAllow = head.expectsContinue && head.body != .none && position == input.count
            return mustAllow ? .allowBody : try step()
        case .body(let head, var reader):
            stage = .over
            let body = try reader.next(in: input, at: &position)
            let moved = compact()
            guard let body else {
                reader.move(by: moved)
                stage = .body(head, reader)
                return .wait
            }
            stage = .head(HeadReader(at: position, limit: limits.headerSize))
            return .answer(Request(head: head, body: body))
        }
    }

    /// Forgets what has been read; returns by how much the rest has moved.
    private mutating func compact() -> Int {
        let moved = position
        if position == input.count {
            // What a connection keeps while it waits is small.
            if input.capacity > 4096 { input = [] } else { input.removeAll(keepingCapacity: true) }
        } else {
            input.removeFirst(position)
        }
        position = 0
        return moved
    }
}
