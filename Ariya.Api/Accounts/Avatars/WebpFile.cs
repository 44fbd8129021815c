using System.Buffers.Binary;
using System.Text;

namespace Ariya.Api.Accounts.Avatars;

/// <summary>
/// WebP (RFC 9649): a RIFF file with one 'VP8 ' or 'VP8L' chunk, or with VP8X and others around it. Kept are the picture and, with
/// 'VP8 ', its ALPH.
/// </summary>
internal static class WebpFile
{
    private const int ChunkHeader = 8;
    private const byte AnimationFlag = 0x02;
    private const byte AlphaFlag = 0x10;

    public static bool Is(ReadOnlySpan<byte> file) => file.Length >= 12 && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8);

    public static Picture? Read(ReadOnlySpan<byte> file, out string reason)
    {
        reason = Picture.Damaged;
        var size = BinaryPrimitives.ReadUInt32LittleEndian(file[4..]);
        if (size < 4 || size > (uint)(file.Length - 8))
        {
            return null;
        }

        var left = file[12..(8 + (int)size)];
        (uint Width, uint Height)? canvas = null;
        (uint Width, uint Height)? image = null;
        ReadOnlySpan<byte> alpha = [];
        ReadOnlySpan<byte> pixels = [];
        for (var isFirst = true; TryTakeChunk(ref left, out var chunk, out var data); isFirst = false)
        {
            var type = Encoding.Latin1.GetString(chunk[..4]);
            if (isFirst && type is not ("VP8 " or "VP8L" or "VP8X"))
            {
                return null;
            }

            switch (type)
            {
                case "VP8X" when !isFirst || data.Length != 10:
                    return null;
                case "VP8X" when (data[0] & AnimationFlag) != 0:
                case "ANIM" or "ANMF":
                    reason = Picture.Moving;
                    return null;
                case "VP8X":
                    canvas = (UInt24(data[4..]) + 1, UInt24(data[7..]) + 1);
                    break;
                case "ALPH" when canvas is not null && pixels.IsEmpty:
                    // Section 2.7.1.2: one, and 0 or 1 for its compression.
                    if (!alpha.IsEmpty || data.Length < 2 || (data[0] & 3) > 1)
                    {
                        return null;
                    }

                    alpha = chunk;
                    break;
                case "VP8 " or "VP8L":
                    image = type == "VP8L" ? SizeOfLossless(data) : SizeOfLossy(data);
                    alpha = type == "VP8L" ? [] : alpha;
                    if (image is null || !pixels.IsEmpty || (canvas is not null && canvas != image))
                    {
                        return null;
                    }

                    pixels = chunk;
                    break;
                default:
                    break;
            }
        }

        if (!left.IsEmpty || image is not { } found)
        {
            return null;
        }

        if (Picture.FaultOfSize(found.Width, found.Height) is { } fault)
        {
            reason = fault;
            return null;
        }

        reason = "";
        return new Picture("image/webp", (int)found.Width, (int)found.Height, Write(found.Width, found.Height, alpha, pixels));
    }

    private static byte[] Write(uint width, uint height, ReadOnlySpan<byte> alpha, ReadOnlySpan<byte> pixels)
    {
        ReadOnlySpan<byte> extended = alpha.IsEmpty ? [] :
            [.. "VP8X"u8, 10, 0, 0, 0, AlphaFlag, 0, 0, 0, .. UInt24(width - 1), .. UInt24(height - 1)];
        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(size, 4 + extended.Length + alpha.Length + pixels.Length);
        return [.. "RIFF"u8, .. size, .. "WEBP"u8, .. extended, .. alpha, .. pixels];
    }

    // RFC 6386 section 9.1: a key frame that is shown, whose first partition is there; the upper two bits of a side are a scale.
    private static (uint Width, uint Height)? SizeOfLossy(ReadOnlySpan<byte> data)
    {
        if (data.Length < 10 || data[3..6] is not [0x9D, 0x01, 0x2A])
        {
            return null;
        }

        var tag = UInt24(data);
        var (isInterFrame, version, isShown, firstPartition) = ((tag & 1) != 0, (tag >> 1) & 7, (tag & 0x10) != 0, tag >> 5);
        return isInterFrame || version > 3 || !isShown || firstPartition > (uint)(data.Length - 10) ? null
            : (BinaryPrimitives.ReadUInt16LittleEndian(data[6..]) & 0x3FFFu, BinaryPrimitives.ReadUInt16LittleEndian(data[8..]) & 0x3FFFu);
    }

    // RFC 9649 section 3.4: signature, 14 bits each of width and height less one, whether there is alpha, 3 bits of version.
    private static (uint Width, uint Height)? SizeOfLossless(ReadOnlySpan<byte> data)
    {
        if (data.Length < 5 || data[0] != 0x2F)
        {
            return null;
        }

        var bits = BinaryPrimitives.ReadUInt32LittleEndian(data[1..]);
        return bits >> 29 != 0 ? null : ((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1);
    }

    /// <summary>The chunk with its padding (section 2.3: to an even length, with a 0), and the data in it.</summary>
    private static bool TryTakeChunk(scoped ref ReadOnlySpan<byte> left, out ReadOnlySpan<byte> chunk, out ReadOnlySpan<byte> data)
    {
        chunk = data = default;
        if (left.Length < ChunkHeader)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(left[4..]);
        var padded = (long)length + (length & 1);
        if (padded > left.Length - ChunkHeader || (length != padded && left[ChunkHeader + (int)length] != 0))
        {
            return false;
        }

        chunk = left[..(ChunkHeader + (int)padded)];
        data = left.Slice(ChunkHeader, (int)length);
        left = left[chunk.Length..];
        return true;
    }

    private static uint UInt24(ReadOnlySpan<byte> at) => at[0] | ((uint)at[1] << 8) | ((uint)at[2] << 16);

    private static byte[] UInt24(uint value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16)];
}
