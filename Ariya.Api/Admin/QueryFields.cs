using System.Globalization;
using System.Text.RegularExpressions;
using Ariya.Api.Http;

namespace Ariya.Api.Admin;

/// <summary>Where a page of a list ends, so that the next begins behind it whatever was added meanwhile.</summary>
internal sealed record Position(DateTimeOffset At, Guid Id)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{(At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}.{Id:N}");

    /// <summary>Null for what is no position of ours.</summary>
    public static Position? Parse(string text) =>
        text.Split('.') is [var moment, var id]
        && long.TryParse(moment, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds)
        && microseconds < (DateTimeOffset.MaxValue - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond
        && Guid.TryParseExact(id, "N", out var guid)
            ? new Position(DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond), guid)
            : null;

    /// <summary>The page of rows of which one more than fits was read, and the cursor of the next; null when there is none.</summary>
    public static (IReadOnlyList<T> Page, string? Next) Cut<T>(List<T> rows, int limit, Func<T, Position> position) =>
        rows.Count > limit ? (rows[..limit], position(rows[limit - 1]).ToString()) : (rows, null);
}

/// <summary>Reads what a query string asks for, in the words that a body's fields have.</summary>
internal static partial class QueryFields
{
    private const int MaxLimit = 100;
    private const int DefaultLimit = 50;
    private static readonly DateTimeOffset s_earliest = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset s_latest = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static int Limit(this FieldErrors errors, string? text)
    {
        if (text is null)
        {
            return DefaultLimit;
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) || limit is < 1 or > MaxLimit)
        {
            errors.Add("limit", $"Use 1 to {MaxLimit}.");
        }

        return limit;
    }

    public static Position? Cursor(this FieldErrors errors, string? text)
    {
        var position = text is null ? null : Position.Parse(text);
        if (text is not null && position is null)
        {
            errors.Add("cursor", "Use the next of the page before.");
        }

        return position;
    }

    public static Guid? Id(this FieldErrors errors, string field, string? text)
    {
        if (text is null)
        {
            return null;
        }

        if (!Guid.TryParseExact(text, "D", out var id))
        {
            errors.Add(field, "Use an id.");
        }

        return id;
    }

    public static DateTimeOffset? Moment(this FieldErrors errors, string field, string? text)
    {
        if (text is null)
        {
            return null;
        }

        // A plus sign that nobody encoded is a space by now.
        if (!DateTimeOffset.TryParse(text.Replace(' ', '+'), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment)
            || moment < s_earliest || moment > s_latest)
        {
            errors.Add(field, "Use a time such as 2026-11-26T15:00:00Z.");
            return null;
        }

        return moment.ToUniversalTime();
    }

    public static string? OneOf(this FieldErrors errors, string field, string? text, IReadOnlyList<string> words)
    {
        if (text is not null && !words.Contains(text))
        {
            errors.Add(field, $"Use one of {string.Join(", ", words)}.");
        }

        return text;
    }

    /// <summary>A stable name, such as the kind of a mail. One that nobody uses finds nothing.</summary>
    public static string? Kind(this FieldErrors errors, string field, string? text)
    {
        if (text is not null && !KindName().IsMatch(text))
        {
            errors.Add(field, "Use a name such as mail.welcome.v1 or session.signed_in.");
        }

        return text;
    }

    [GeneratedRegex("^[a-z0-9_.-]{1,64}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex KindName();
}
