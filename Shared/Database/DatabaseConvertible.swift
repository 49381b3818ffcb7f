/// A Swift type that a column can hold: `Int`, `Int64`, `Bool`, `Double`, `String`, `[UInt8]` and optionals of these.
///
/// Conversions are exact: what does not fit, or has another type, is refused and never rounded or guessed.
public protocol DatabaseConvertible: Sendable {
    /// The value as it is stored.
    var databaseValue: DatabaseValue { get }
    /// Reads a stored value; nil when it has another type or does not fit.
    init?(databaseValue: DatabaseValue)
}

extension DatabaseValue: DatabaseConvertible {
    /// The value itself.
    @inlinable public var databaseValue: DatabaseValue { self }
    /// Takes any value, null included.
    @inlinable public init?(databaseValue: DatabaseValue) { self = databaseValue }
}

extension String: DatabaseConvertible {
    /// Text.
    @inlinable public var databaseValue: DatabaseValue { .text(self) }
    /// Takes text.
    @inlinable public init?(databaseValue: DatabaseValue) {
        guard case .text(let text) = databaseValue else { return nil }
        self = text
    }
}

extension Int: DatabaseConvertible {
    /// An integer.
    @inlinable public var databaseValue: DatabaseValue { .integer(Int64(self)) }
    /// Takes an integer.
    @inlinable public init?(databaseValue: DatabaseValue) {
        guard case .integer(let integer) = databaseValue else { return nil }
        self.init(exactly: integer)
    }
}

extension Int64: DatabaseConvertible {
    /// An integer.
    @inlinable public var databaseValue: DatabaseValue { .integer(self) }
    /// Takes an integer.
    @inlinable public init?(databaseValue: DatabaseValue) {
        guard case .integer(let integer) = databaseValue else { return nil }
        self = integer
    }
}

extension Bool: DatabaseConvertible {
    /// 1 or 0.
    @inlinable public var databaseValue: DatabaseValue { .integer(self ? 1 : 0) }
    /// Takes the integers 1 and 0, no other.
    @inlinable public init?(databaseValue: DatabaseValue) {
        switch databaseValue {
        case .integer(1): self = true
        case .integer(0): self = false
        default: return nil
        }
    }
}

extension Double: DatabaseConvertible {
    /// A real.
    @inlinable public var databaseValue: DatabaseValue { .real(self) }
    /// Takes a real, and an integer that a `Double` holds exactly (`SUM` over whole numbers gives one).
    @inlinable public init?(databaseValue: DatabaseValue) {
        switch databaseValue {
        case .real(let real): self = real
        case .integer(let integer): self.init(exactly: integer)
        default: return nil
        }
    }
}

extension [UInt8]: DatabaseConvertible {
    /// A blob.
    @inlinable public var databaseValue: DatabaseValue { .blob(self) }
    /// Takes a blob.
    @inlinable public init?(databaseValue: DatabaseValue) {
        guard case .blob(let bytes) = databaseValue else { return nil }
        self = bytes
    }
}

extension Optional: DatabaseConvertible where Wrapped: DatabaseConvertible {
    /// The wrapped value, or null.
    @inlinable public var databaseValue: DatabaseValue { self?.databaseValue ?? .null }
    /// Takes null and whatever the wrapped type takes.
    @inlinable public init?(databaseValue: DatabaseValue) {
        if databaseValue == .null {
            self = Wrapped?.none
        } else if let wrapped = Wrapped(databaseValue: databaseValue) {
            self = .some(wrapped)
        } else {
            return nil
        }
    }
}
