using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Ariya.Data;
using Ariya.ServiceDefaults.Logging;
using Microsoft.EntityFrameworkCore;

namespace Ariya.Tests.Contract;

public sealed partial class CatalogueTests
{
    // Read where they are used, not bound to a class.
    private static readonly string[] s_sectionsWithoutClass = ["Admin", "AppHost", "ConnectionStrings", "Database", "Passwords", "Ports", "Proxies"];

    [Fact]
    public void EveryRefusalIsInTheDocumentOnceAndNoOther()
    {
        var documented = ErrorCatalogue.InDocument();
        Assert.Equal(documented.Count, documented.Select(refusal => refusal.Code).Distinct().Count());
        Assert.Equal(
            ErrorCatalogue.InCode().Select(refusal => $"{refusal.Status} {refusal.Code}").Order(),
            documented.Select(refusal => $"{refusal.Status} {refusal.Code}").Order());
    }

    [Fact]
    public void EveryOptionIsInTheDocumentWithItsDefaultAndNoOther()
    {
        var documented = SettingRows().Matches(CheckoutFile.Read("docs/configuration.md"))
            .Where(row => !s_sectionsWithoutClass.Contains(row.Groups["section"].Value))
            .Select(row => $"{row.Groups["name"].Value} = {row.Groups["default"].Value.Trim('`')}");
        Assert.Equal(Options().Order(), documented.Order());
    }

    [Fact]
    public void TheMigrationsAreTheModel()
    {
        using var schema = new DesignTimeDbContextFactory().CreateDbContext([]);
        Assert.False(
            schema.Database.HasPendingModelChanges(),
            "The model has changed. Write a migration with scripts/add-migration.sh NAME");
    }

    private static IEnumerable<string> Options() =>
        from assembly in new[] { typeof(Api.Auth.RegisterRequest).Assembly, typeof(Worker.Outbox.OutboxOptions).Assembly, typeof(LogOptions).Assembly }
        from type in assembly.GetTypes()
        let section = type.Name.EndsWith("Options", StringComparison.Ordinal) ? type.GetField("Section")?.GetRawConstantValue() : null
        where section is not null
        let defaults = Activator.CreateInstance(type)
        from property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        select string.Create(CultureInfo.InvariantCulture, $"{section}__{property.Name} = {(property.GetValue(defaults) is bool isOn ? isOn ? "true" : "false" : property.GetValue(defaults))}");

    [GeneratedRegex(@"^\| `(?<name>(?<section>[A-Z][A-Za-z]+)__[A-Za-z]+)`[^|]*\| (?<default>[^|]*?) \|", RegexOptions.Multiline)]
    private static partial Regex SettingRows();
}
