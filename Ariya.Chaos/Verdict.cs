using System.Globalization;

namespace Ariya.Chaos;

internal sealed record MailRow(Guid Id, Guid MailId, string Kind, string? Recipient, string State, string? Reason);

internal sealed record AccountRow(string Email, string FirstName, int Version);

/// <summary>What was found.</summary>
internal sealed class Verdict
{
    public List<string> Lost { get; } = [];
    public List<string> OverAdmitted { get; } = [];
    public List<string> Violations { get; } = [];
    public List<string> Figures { get; } = [];

    public bool IsGood => Lost.Count + OverAdmitted.Count + Violations.Count == 0;

    public void Figure(FormattableString text) => Figures.Add(text.ToString(CultureInfo.InvariantCulture));

    public void Lose(FormattableString text) => Add(Lost, text);

    public void Violate(FormattableString text) => Add(Violations, text);

    // People are judged side by side.
    private static void Add(List<string> to, FormattableString text)
    {
        lock (to)
        {
            to.Add(text.ToString(CultureInfo.InvariantCulture));
        }
    }
}
