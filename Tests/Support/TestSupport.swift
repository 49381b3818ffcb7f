/// Shared by all test targets.
public enum TestSupport {}
