using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.RegularExpressions;

namespace Ariya.Worker.Mail;

/// <summary>
/// A pair of embedded files, <c>Name.html</c> and <c>Name.txt</c>, with <c>{{value}}</c> places. Values are data: encoded in HTML,
/// and on one line in text.
/// </summary>
internal sealed partial class MailTemplate
{
    private static readonly Assembly s_assembly = typeof(MailTemplate).Assembly;
    private static readonly string s_layout = Read("Layout.html");

    private readonly string _html;
    private readonly string _text;

    public MailTemplate(string name)
    {
        _html = s_layout.Replace("{{content}}", Read($"{name}.html"), StringComparison.Ordinal);
        _text = Read($"{name}.txt");
    }

    public (string Html, string Text) Render(params IReadOnlyList<(string Name, string Value)> values)
    {
        var byName = values.ToDictionary(value => value.Name, value => value.Value);
        // One pass: what stands in a value is never looked at as a place.
        return (Place().Replace(_html, place => HtmlEncoder.Default.Encode(byName[place.Groups[1].Value])),
            Place().Replace(_text, place => byName[place.Groups[1].Value].ReplaceLineEndings(" ")));
    }

    [GeneratedRegex(@"\{\{(\w+)\}\}")]
    private static partial Regex Place();

    private static string Read(string file)
    {
        var resource = s_assembly.GetManifestResourceNames().Single(name => name.EndsWith($".{file}", StringComparison.Ordinal));
        using var reader = new StreamReader(s_assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }
}
