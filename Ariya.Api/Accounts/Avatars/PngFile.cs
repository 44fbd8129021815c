using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Ariya.Api.Accounts.Avatars;

/// <summary>
/// PNG (W3C, third edition): a signature, then chunks of length, type, data and CRC-32. IHDR, sRGB, an indexed picture's PLTE, tRNS,
/// IDAT and IEND are kept; without acTL, fcTL and fdAT an animation is its still picture.
/// </summary>
internal sealed class PngFile
{
    // Length, type and CRC.
    private const int ChunkFrame = 12;
    private const int HeaderLength = 13;

    private const byte Greyscale = 0;
    private const byte Truecolour = 2;
    private const byte Indexed = 3;
    private const byte GreyscaleWithAlpha = 4;
    private const byte TruecolourWithAlpha = 6;

    // The CRC-32 of ISO 3309 and gzip, by the reflected polynomial.
    private static readonly uint[] s_crcOfByte = [.. Enumerable.Range(0, 256).Select(value =>
        Enumerable.Range(0, 8).Aggregate((uint)value, (crc, _) => (crc & 1) == 0 ? crc >> 1 : 0xEDB88320 ^ (crc >> 1)))];

    private readonly HashSet<string> _seen = [];
    private readonly byte _depth;
    private readonly byte _colour;
    private string _last = "IHDR";
    private int _paletteLength;

    private PngFile(byte depth, byte colour)
    {
        _depth = depth;
        _colour = colour;
    }

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    public static bool Is(ReadOnlySpan<byte> file) => file.StartsWith(Signature);

    public static Picture? Read(ReadOnlySpan<byte> file, out string reason)
    {
        reason = Picture.Damaged;
        var left = file[Signature.Length..];
        if (!TryTakeChunk(ref left, out var chunk) || TypeOf(chunk) != "IHDR" || !IsHeader(DataOf(chunk)) || !HasRightCrc(chunk))
        {
            return null;
        }

        var header = DataOf(chunk);
        var width = BinaryPrimitives.ReadUInt32BigEndian(header);
        var height = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        if (Picture.FaultOfSize(width, height) is { } fault)
        {
            reason = fault;
            return null;
        }

        var png = new PngFile(header[8], header[9]);
        var kept = new ArrayBufferWriter<byte>(file.Length);
        kept.Write(Signature);
        kept.Write(chunk);
        while (TryTakeChunk(ref left, out chunk))
        {
            var type = TypeOf(chunk);
            if (!png.MayFollow(type, DataOf(chunk)))
            {
                return null;
            }

            if (png.IsKept(type))
            {
                if (!HasRightCrc(chunk))
                {
                    return null;
                }

                png._seen.Add(type);
                kept.Write(chunk);
            }

            png._last = type;
            if (type == "IEND")
            {
                reason = "";
                return new Picture("image/png", (int)width, (int)height, kept.WrittenSpan.ToArray());
            }
        }

        return null;
    }

    // Section 11.2.1.
    private static bool IsHeader(ReadOnlySpan<byte> data) => data.Length == HeaderLength
        && (Depth: data[8], Colour: data[9]) is (1 or 2 or 4 or 8 or 16, Greyscale) or (1 or 2 or 4 or 8, Indexed)
            or (8 or 16, Truecolour or GreyscaleWithAlpha or TruecolourWithAlpha)
        && (Compression: data[10], Filter: data[11], Interlace: data[12]) is (0, 0, 0 or 1);

    // Section 5.6: what stands where, and how often.
    private bool MayFollow(string type, ReadOnlySpan<byte> data)
    {
        var beforeData = !_seen.Contains("IDAT");
        switch (type)
        {
            case "IHDR":
                return false;
            case "sRGB":
                return beforeData && _paletteLength == 0 && !_seen.Contains(type) && data is [<= 3];
            case "PLTE":
                var isPlace = beforeData && _paletteLength == 0 && !_seen.Contains("tRNS");
                _paletteLength = data.Length;
                return isPlace && _colour is not (Greyscale or GreyscaleWithAlpha)
                    && data.Length > 0 && data.Length % 3 == 0 && data.Length <= 3 << (_colour == Indexed ? _depth : 8);
            case "tRNS":
                return beforeData && !_seen.Contains(type) && _colour switch
                {
                    Greyscale => data.Length == 2,
                    Truecolour => data.Length == 6,
                    Indexed => data.Length > 0 && data.Length <= _paletteLength / 3,
                    _ => false,
                };
            case "IDAT":
                return (beforeData || _last == type) && (_colour != Indexed || _paletteLength > 0);
            case "IEND":
                return !beforeData && data.IsEmpty;
            default:
                // A capital says that the picture cannot be shown without understanding the chunk (section 5.4).
                return type.All(char.IsAsciiLetter) && char.IsAsciiLetterLower(type[0]);
        }
    }

    // Elsewhere than in an indexed picture a palette is only a suggestion.
    private bool IsKept(string type) => type is "sRGB" or "tRNS" or "IDAT" or "IEND" || (type == "PLTE" && _colour == Indexed);

    private static bool TryTakeChunk(scoped ref ReadOnlySpan<byte> left, out ReadOnlySpan<byte> chunk)
    {
        chunk = default;
        if (left.Length < ChunkFrame || BinaryPrimitives.ReadUInt32BigEndian(left) > (uint)(left.Length - ChunkFrame))
        {
            return false;
        }

        var length = ChunkFrame + BinaryPrimitives.ReadInt32BigEndian(left);
        chunk = left[..length];
        left = left[length..];
        return true;
    }

    private static string TypeOf(ReadOnlySpan<byte> chunk) => Encoding.Latin1.GetString(chunk[4..8]);

    private static ReadOnlySpan<byte> DataOf(ReadOnlySpan<byte> chunk) => chunk[8..^4];

    private static bool HasRightCrc(ReadOnlySpan<byte> chunk)
    {
        var crc = uint.MaxValue;
        foreach (var value in chunk[4..^4])
        {
            crc = s_crcOfByte[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return ~crc == BinaryPrimitives.ReadUInt32BigEndian(chunk[^4..]);
    }
}
