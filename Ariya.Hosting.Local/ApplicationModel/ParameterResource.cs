using System.Security.Cryptography;

namespace Aspire.Hosting.ApplicationModel;

public class ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false)
    : Resource(name), IExpressionValue
{
    private readonly Lock _gate = new();
    private string? _value;

    public ParameterDefault? Default { get; set; }
    public bool Secret { get; } = secret;
    public string ValueExpression => $"{{{Name}.value}}";

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        // Several resources ask at once, and all must get the same generated value.
        lock (_gate)
        {
            return ValueTask.FromResult<string?>(_value ??= callback(Default));
        }
    }
}

public abstract class ParameterDefault
{
    public abstract string GetDefaultValue();
}

/// <summary>A random value. The alphabets leave out what looks alike and what would need quoting in a connection string.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    public int MinLength { get; set; }
    public bool Lower { get; set; } = true;
    public bool Upper { get; set; } = true;
    public bool Numeric { get; set; } = true;
    public bool Special { get; set; } = true;

    public override string GetDefaultValue() => RandomNumberGenerator.GetString(
        (Lower ? "abcdefghjkmnpqrstuvwxyz" : "") + (Upper ? "ABCDEFGHJKMNPQRSTUVWXYZ" : "") + (Numeric ? "0123456789" : "")
            + (Special ? "-_.{}~()*+!" : ""),
        MinLength);
}
