/// Finds what was probably meant by a mistyped word.
enum Suggestion {
    /// The candidate nearest to the word, if one is near: at most one edit for every three letters, or the word is how
    /// the candidate begins.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        let allowed = max(1, word.count / 3)
        let ranked = candidates.map { (candidate: $0, distance: distance(word, $0)) }.sorted {
            ($0.distance, $0.candidate) < ($1.distance, $1.candidate)
        }
        if let best = ranked.first, best.distance <= allowed { return best.candidate }
        let beginnings = candidates.filter { word.count >= 2 && $0.hasPrefix(word) }
        return beginnings.count == 1 ? beginnings.first : nil
    }

    /// "Did you mean …?" for the nearest candidate, or nil.
    static func sentence(for word: String, among candidates: [String]) -> String? {
        nearest(to: word, among: candidates).map { "Did you mean `\($0)`?" }
    }

    /// Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment).
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1] + [Int](repeating: 0, count: right.count)
            for column in right.indices {
                let cost = left[row] == right[column] ? 0 : 1
                current[column + 1] = min(last[column + 1] + 1, current[column] + 1, last[column] + cost)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    current[column + 1] = min(current[column + 1], beforeLast[column - 1] + 1)
                }
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
