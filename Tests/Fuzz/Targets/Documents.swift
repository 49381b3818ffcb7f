import Foundation
import JSON

/// JSON: what is taken is JSON for another reader too, and is written and read again as the same value.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let document = try? JSONDocument(bytes) else { return 0 }
    // Numbers beyond a Double are JSON, and Foundation has no value for them.
    guard let value = try? StrictJSON.decode(JSONValue.self, from: document) else { return 0 }
    let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
    precondition(other != nil, "Foundation refuses what was taken")
    guard let encoded = try? StrictJSON.encode(value) else { preconditionFailure("the value cannot be written") }
    guard let again = try? StrictJSON.decode(JSONValue.self, from: encoded) else {
        preconditionFailure("what was written cannot be read")
    }
    precondition(isSame(again, value), "a value changed on its way")
    return 0
}

/// `44.0` is a number, and is written `44`, which is an integer.
private func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
    switch (left, right) {
    case (.integer(let integer), .number(let number)): Double(integer) == number
    case (.array(let left), .array(let right)): left.count == right.count && zip(left, right).allSatisfy(isSame)
    case (.object(let left), .object(let right)):
        left.count == right.count
            && left.allSatisfy { member in right[member.key].map { isSame(member.value, $0) } ?? false }
    default: left == right
    }
}
