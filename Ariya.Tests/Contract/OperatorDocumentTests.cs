using System.Reflection;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Contract;

/// <summary>
/// What documents say is tested is tested by tests that there are, and what they point at is there.
/// </summary>
public sealed partial class OperatorDocumentTests
{
    private static readonly string[] s_documents = ["docs/operations.md", "docs/threat-model.md", "docs/original-features.md"];

    [Theory]
    [InlineData("docs/threat-model.md")]
    [InlineData("docs/original-features.md")]
    public void EveryTestThatIsNamedExists(string document)
    {
        var tests = from type in typeof(OperatorDocumentTests).Assembly.GetTypes()
                    from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                    where method.IsDefined(typeof(FactAttribute), inherit: true)
                    select $"{type.Name}.{method.Name}";
        var named = TestNames().Matches(CheckoutFile.Read(document)).Select(name => name.Groups["test"].Value).ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Except(tests));
    }

    [Fact]
    public void EveryLinkLeadsSomewhere() => Assert.Empty(s_documents.SelectMany(BrokenLinks));

    private static IEnumerable<string> BrokenLinks(string document)
    {
        foreach (Match link in Links().Matches(CheckoutFile.Read(document)))
        {
            var (path, anchor) = (link.Groups["path"].Value, link.Groups["anchor"].Value);
            var target = path.Length == 0 ? document : Path.Combine("docs", path);
            if (!File.Exists(CheckoutFile.PathOf(target)) || (anchor.Length > 0 && !AnchorsOf(target).Contains(anchor)))
            {
                yield return $"{document}: {link.Value}";
            }
        }
    }

    // As GitHub makes them of headings: lower case, no punctuation, hyphens for spaces.
    private static HashSet<string> AnchorsOf(string document)
    {
        var text = CheckoutFile.Read(document);
        return
        [
            .. Headings().Matches(text).Select(heading => Punctuation().Replace(heading.Groups["words"].Value.ToLowerInvariant(), "").Replace(' ', '-')),
            .. OwnAnchors().Matches(text).Select(anchor => anchor.Groups["anchor"].Value),
        ];
    }

    // Ariya.Chaos is a program.
    [GeneratedRegex(@"`(?!Ariya\.)(?<test>[A-Z]\w*Tests\.[A-Z]\w*)`")]
    private static partial Regex TestNames();

    [GeneratedRegex(@"\]\((?!https?:)(?<path>[^)#]*)(#(?<anchor>[^)]*))?\)")]
    private static partial Regex Links();

    [GeneratedRegex(@"^#+ (?<words>.+)$", RegexOptions.Multiline)]
    private static partial Regex Headings();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex Punctuation();

    [GeneratedRegex("""<a id="(?<anchor>[^"]+)">""")]
    private static partial Regex OwnAnchors();
}
