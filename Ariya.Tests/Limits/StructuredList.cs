using System.Globalization;
using System.Text;

namespace Ariya.Tests.Limits;

/// <summary>An item of a list: a string, token, integer, decimal or boolean, with parameters.</summary>
internal sealed record StructuredItem(object Value, IReadOnlyDictionary<string, object> Parameters);

/// <summary>A token, which is not a string.</summary>
internal sealed record StructuredToken(string Text);

/// <summary>
/// A list of items as RFC 9651 section 4.2 reads it, and more strictly where that forgives: no parameter twice. Inner lists, dates and
/// bytes are in no header of the product and are refused.
/// </summary>
internal sealed class StructuredList
{
    private const int MaxDigits = 15;

    private readonly string _text;
    private int _at;

    private StructuredList(string text) => _text = text;

    private bool IsEnd => _at == _text.Length;

    private char Next => IsEnd ? throw Fault("more") : _text[_at];

    /// <exception cref="FormatException">Says what was expected, and where.</exception>
    public static IReadOnlyList<StructuredItem> Parse(string text) => new StructuredList(text.Trim(' ')).List();

    private List<StructuredItem> List()
    {
        var items = new List<StructuredItem>();
        while (!IsEnd)
        {
            items.Add(Item());
            SkipSpace();
            if (IsEnd)
            {
                return items;
            }

            Take(',');
            SkipSpace();
            if (IsEnd)
            {
                throw Fault("an item after the comma");
            }
        }

        return items;
    }

    private StructuredItem Item()
    {
        var value = BareItem();
        var parameters = new Dictionary<string, object>();
        while (!IsEnd && _text[_at] == ';')
        {
            _at++;
            while (!IsEnd && _text[_at] == ' ')
            {
                _at++;
            }

            var key = Key();
            object parameter = true;
            if (!IsEnd && _text[_at] == '=')
            {
                _at++;
                parameter = BareItem();
            }

            if (!parameters.TryAdd(key, parameter))
            {
                throw Fault($"no second {key}");
            }
        }

        return new StructuredItem(value, parameters);
    }

    private object BareItem() => Next switch
    {
        '"' => String(),
        '?' => Boolean(),
        '-' or (>= '0' and <= '9') => Number(),
        '*' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') => Token(),
        _ => throw Fault("an item"),
    };

    private string String()
    {
        Take('"');
        var value = new StringBuilder();
        while (true)
        {
            var letter = Next;
            _at++;
            switch (letter)
            {
                case '"':
                    return value.ToString();
                case '\\' when Next is '"' or '\\':
                    value.Append(_text[_at++]);
                    break;
                case '\\' or < ' ' or > '~':
                    throw Fault("a printable letter");
                default:
                    value.Append(letter);
                    break;
            }
        }
    }

    private object Number()
    {
        var begin = _at;
        if (Next == '-')
        {
            _at++;
        }

        var whole = Digits();
        if (IsEnd || _text[_at] != '.')
        {
            return whole is > 0 and <= MaxDigits ? long.Parse(_text[begin.._at], CultureInfo.InvariantCulture) : throw Fault("1 to 15 digits");
        }

        _at++;
        var fraction = Digits();
        return whole is > 0 and <= 12 && fraction is > 0 and <= 3
            ? decimal.Parse(_text[begin.._at], CultureInfo.InvariantCulture)
            : throw Fault("at most 12 digits, a dot and 1 to 3 more");
    }

    private int Digits()
    {
        var begin = _at;
        while (!IsEnd && char.IsAsciiDigit(_text[_at]))
        {
            _at++;
        }

        return _at - begin;
    }

    private bool Boolean()
    {
        Take('?');
        var value = Next is '0' or '1' ? Next == '1' : throw Fault("0 or 1");
        _at++;
        return value;
    }

    private StructuredToken Token()
    {
        var begin = _at;
        while (!IsEnd && (char.IsAsciiLetterOrDigit(_text[_at]) || "!#$%&'*+-.^_`|~:/".Contains(_text[_at], StringComparison.Ordinal)))
        {
            _at++;
        }

        return new StructuredToken(_text[begin.._at]);
    }

    private string Key()
    {
        var begin = _at;
        if (Next != '*' && !char.IsAsciiLetterLower(Next))
        {
            throw Fault("a key");
        }

        while (!IsEnd && (char.IsAsciiLetterLower(_text[_at]) || char.IsAsciiDigit(_text[_at]) || _text[_at] is '_' or '-' or '.' or '*'))
        {
            _at++;
        }

        return _text[begin.._at];
    }

    private void SkipSpace()
    {
        while (!IsEnd && (_text[_at] is ' ' or '\t'))
        {
            _at++;
        }
    }

    private void Take(char letter)
    {
        if (Next != letter)
        {
            throw Fault($"'{letter}'");
        }

        _at++;
    }

    private FormatException Fault(string expected) => new($"{expected} was expected at {_at} of: {_text}");
}
