import FoundationEssentials

/// Finds the number that does not fit its field.
///
/// `JSONDecoder` says of `1.5`, or of 300 for a `UInt8`, no more than that the data are "not valid JSON", without a path. Here
/// the numbers of the body are put back by halves into a copy where all are 1, until one is left with which decoding fails so;
/// with a string in its place, the decoder then names its path and type. That takes about log2(n) decodings of n numbers, and
/// only when a body is refused anyway.
enum NumberFault {
    /// Larger bodies are not searched: decoding them many times over would cost more than the hint is worth.
    private static let largestBody = 64 << 10

    /// The fault, or nil when there is none of this kind or it cannot be told which number it is.
    static func find<Value: Decodable>(_ type: Value.Type, in body: [UInt8], _ error: DecodingError) -> Problem.Fault? {
        guard isBare(error), body.count <= largestBody, let numbers = try? JSONScanner.check(body) else { return nil }
        func fails(keeping kept: Range<Int>) -> Bool {
            let replaced = numbers[..<kept.lowerBound] + numbers[kept.upperBound...]
            return self.error(type, replacing(replaced, by: "1", in: body)).map(isBare) ?? false
        }
        var candidates = numbers.indices
        while candidates.count > 1 {
            let half = candidates.prefix(candidates.count / 2)
            candidates = fails(keeping: half) ? half : candidates.dropFirst(half.count)
        }
        guard let index = candidates.first, fails(keeping: candidates) else { return nil }
        let found = numbers[index]
        var edited = replacing(numbers[(index + 1)...], by: "1", in: body)
        edited.replaceSubrange(found, with: Array("\"\"".utf8))
        edited = replacing(numbers[..<index], by: "1", in: edited)
        guard case .typeMismatch(let expected, let context) = self.error(type, edited) else { return nil }
        let isFraction = body[found].contains { $0 == UInt8(ascii: ".") || lowercased($0) == UInt8(ascii: "e") }
        return Problem.Fault(
            field: DecodingError.path(context.codingPath),
            detail: isFraction && expected is any BinaryInteger.Type ? "must be a whole number" : "is out of range"
        )
    }

    /// Whether it is the error without a path.
    private static func isBare(_ error: DecodingError) -> Bool {
        guard case .dataCorrupted(let context) = error else { return false }
        return context.codingPath.isEmpty && context.debugDescription == DecodingError.bareReason
    }

    private static func error<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> DecodingError? {
        do {
            _ = try JSONDecoder().decode(type, from: Data(bytes))
            return nil
        } catch {
            return error as? DecodingError
        }
    }

    private static func replacing(
        _ ranges: some Sequence<Range<Int>>,
        by text: StaticString,
        in bytes: [UInt8]
    ) -> [UInt8] {
        var result: [UInt8] = []
        var end = 0
        for range in ranges {
            result += bytes[end..<range.lowerBound]
            result += Array(text.description.utf8)
            end = range.upperBound
        }
        return result + bytes[end...]
    }
}
