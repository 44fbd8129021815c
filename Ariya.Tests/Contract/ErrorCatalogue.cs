using System.Text.RegularExpressions;

namespace Ariya.Tests.Contract;

internal sealed record Refusal(string Status, string Code);

/// <summary>The refusals, as the code makes them and as docs/errors.md tells them.</summary>
internal static partial class ErrorCatalogue
{
    public static List<Refusal> InCode()
    {
        var source = CheckoutFile.Read("Ariya.Api/Problems/Problem.cs");
        var made = Made().Matches(source).Concat(OfRouting().Matches(source)).Select(Read).ToList();
        // One method makes them all, from words in the source: a refusal put together otherwise would not be seen here.
        Assert.Equal(Calls().Count(source), Made().Count(source));
        return [.. made.Distinct()];
    }

    public static List<Refusal> InDocument() => [.. Rows().Matches(CheckoutFile.Read("docs/errors.md"))
        .Select(row => new Refusal(row.Groups["status"].Value, row.Groups["code"].Value))];

    private static Refusal Read(Match match) =>
        new(match.Groups["status"].Value.Replace(">= ", "", StringComparison.Ordinal), match.Groups["code"].Value);

    [GeneratedRegex("""(?<!ProblemHttpResult )Create\((?<status>\d{3}), "(?<code>[a-z_]+)""")]
    private static partial Regex Made();

    [GeneratedRegex("""(?<!ProblemHttpResult )\bCreate\(""")]
    private static partial Regex Calls();

    [GeneratedRegex("""^ +(?<status>\d{3}|>= 500) => "(?<code>[a-z_]+)",$""", RegexOptions.Multiline)]
    private static partial Regex OfRouting();

    [GeneratedRegex(@"^\| `(?<code>[a-z_]+)` \| (?<status>\d{3}) \|", RegexOptions.Multiline)]
    private static partial Regex Rows();
}
