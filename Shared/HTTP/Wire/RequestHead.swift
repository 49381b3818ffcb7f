/// The line and the fields of a request, after which its end is certain.
struct RequestHead {
    /// How long the body is.
    enum Body: Equatable {
        case none
        case length(Int)
        case chunked
    }

    let method: String
    let target: RequestTarget
    let headers: HTTPHeaders
    let body: Body
    /// Whether the connection may carry another request.
    let keepsAlive: Bool
    /// Whether the client waits for leave to send the body.
    let expectsContinue: Bool
}

/// Reads a head line by line, as its bytes arrive.
struct HeadReader {
    private var lines: LineReader
    private let start: Int
    private let limit: Int
    private var line: RequestLine?
    private var headers = HTTPHeaders()
    private var hasSkippedLine = false

    /// The method, once it has been read.
    private(set) var method = ""
    /// Where what follows the head begins, once it is whole.
    var end: Int { lines.start }

    /// - Parameters:
    ///   - start: where the head begins in the bytes.
    ///   - limit: the most bytes of the head.
    init(at start: Int, limit: Int) {
        lines = LineReader(at: start)
        self.start = start
        self.limit = limit
    }

    /// The head, once it is whole.
    mutating func next(in input: [UInt8]) throws(HeadFault) -> RequestHead? {
        while let range = try lines.next(in: input) {
            try checkSize()
            guard let line else {
                // One empty line before a request is an old client's; RFC 9112 (2.2) asks to pass it over.
                if range.isEmpty, !hasSkippedLine {
                    hasSkippedLine = true
                    continue
                }
                method = try RequestLine.method(of: input[range])
                self.line = try RequestLine(input[range], method: method)
                continue
            }
            guard !range.isEmpty else { return try line.head(with: headers) }
            headers.append(try FieldLine.field(input[range]))
        }
        try checkSize()
        return nil
    }

    private func checkSize() throws(HeadFault) {
        guard lines.start + lines.pending - start <= limit else {
            throw HeadFault(Problem.headersTooLarge(limit: limit))
        }
    }
}

/// The first line of a request: `GET /orders HTTP/1.1`, with one space in each gap.
private struct RequestLine {
    let method: String
    let target: RequestTarget
    private let isVersion10: Bool

    init(_ line: ArraySlice<UInt8>, method: String) throws(HeadFault) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw HeadFault("The first line must be method, target and version, with one space between them.")
        }
        self.method = method
        isVersion10 = try Self.isVersion10(parts[2])
        target = try RequestTarget(parts[1])
    }

    /// The line up to its first space.
    static func method(of line: ArraySlice<UInt8>) throws(HeadFault) -> String {
        let method = line.prefix { $0 != 0x20 }
        guard !method.isEmpty, method.allSatisfy(isTokenByte) else { throw HeadFault("The method is not one.") }
        return String(decoding: method, as: UTF8.self)
    }

    private static func isVersion10(_ version: ArraySlice<UInt8>) throws(HeadFault) -> Bool {
        if version.elementsEqual("HTTP/1.1".utf8) { return false }
        if version.elementsEqual("HTTP/1.0".utf8) { return true }
        let digits = Array(version.dropFirst(5))
        guard
            version.starts(with: "HTTP/".utf8), digits.count == 3, isDigit(digits[0]), digits[1] == UInt8(ascii: "."),
            isDigit(digits[2])
        else { throw HeadFault("The version is not one.") }
        throw HeadFault(Problem(.httpVersion, detail: "Versions 1.1 and 1.0 are spoken."))
    }

    /// The head that the line and the fields make together.
    func head(with headers: HTTPHeaders) throws(HeadFault) -> RequestHead {
        for name in FieldRules.single where headers.fields.count(where: { $0.isNamed(name) }) > 1 {
            throw HeadFault("There is more than one \(name).")
        }
        try FieldRules.checkHost(headers["Host"], target: target, isRequired: !isVersion10)
        let expectation = headers["Expect"]?.lowercased()
        guard expectation == nil || expectation == "100-continue" else {
            throw HeadFault(Problem(.expectation, detail: "Expect can only be 100-continue."))
        }
        let options = headers.values("Connection").flatMap { $0.lowercased().split(separator: ",") }
        return RequestHead(
            method: method,
            target: target,
            headers: headers,
            body: try FieldRules.body(headers, isVersion10: isVersion10),
            keepsAlive: !isVersion10 && !options.contains { $0.filter { $0 != " " && $0 != "\t" } == "close" },
            expectsContinue: expectation != nil && !isVersion10
        )
    }
}

/// One line of the fields, of a head or after the chunks.
enum FieldLine {
    /// The field that the line holds.
    static func field(_ line: ArraySlice<UInt8>) throws(HeadFault) -> HTTPHeaders.Field {
        guard let first = line.first, first != 0x20, first != 0x09 else { throw HeadFault("A header is folded.") }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw HeadFault("A header has no colon.") }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy(isTokenByte) else {
            throw HeadFault("The name of a header holds characters that may not be there, or is empty.")
        }
        var value = line[(colon + 1)...]
        while let byte = value.first, byte == 0x20 || byte == 0x09 { value = value.dropFirst() }
        while let byte = value.last, byte == 0x20 || byte == 0x09 { value = value.dropLast() }
        return HTTPHeaders.Field(
            name: String(decoding: name, as: UTF8.self),
            value: String(decoding: value, as: UTF8.self)
        )
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
