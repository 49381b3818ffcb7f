/// Comparisons that do not tell how much of a secret was right.
enum ConstantTime {
    /// Whether two texts are equal, in a time that depends on the lengths alone.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard !right.isEmpty else { return left.isEmpty }
        var difference = left.count ^ right.count
        for (index, byte) in left.enumerated() {
            difference |= Int(byte ^ right[index % right.count])
        }
        return difference == 0
    }
}
