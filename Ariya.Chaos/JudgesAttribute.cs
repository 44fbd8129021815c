namespace Ariya.Chaos;

/// <summary>
/// Which promises of <c>docs/promises.md</c> a judge would find broken. The test of that document reads it here.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class JudgesAttribute(params string[] promises) : Attribute
{
    public IReadOnlyList<string> Promises => promises;
}
