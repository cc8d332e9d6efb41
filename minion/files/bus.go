package files

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

// ahead is how many pieces are asked for at once: the bus carries jobs and signs of life too.
const ahead = 4

// fetchBus asks for piece after piece, and, once it is known how large a piece is, for some at once.
func (c *Client) fetchBus(ctx context.Context, in *incoming, limit int64) error {
	first, err := c.askPiece(ctx, in.sum, in.size)
	if err == nil {
		err = in.take(first, limit)
	}
	piece := int64(len(first.GetData()))
	for err == nil && in.size < first.Size {
		err = c.fetchPieces(ctx, in, limit, piece, first.Size)
	}
	return err
}

// fetchPieces gets the next few pieces.
func (c *Client) fetchPieces(ctx context.Context, in *incoming, limit, piece, size int64) error {
	var replies [ahead]*pb.FileReply
	work, ctx := errgroup.WithContext(ctx)
	for i := range replies {
		at := in.size + int64(i)*piece
		if at >= size {
			break
		}
		work.Go(func() (err error) {
			replies[i], err = c.askPiece(ctx, in.sum, at)
			return err
		})
	}
	err := work.Wait()
	for i, next := 0, in.size; i < ahead && replies[i] != nil; i, next = i+1, next+piece {
		if next != in.size {
			break // the one before was shorter
		}
		if err := in.take(replies[i], limit); err != nil {
			return err
		}
	}
	return err
}

func (c *Client) askPiece(ctx context.Context, sum string, at int64) (*pb.FileReply, error) {
	body, err := proto.Marshal(&pb.FileRequest{Sha256: sum, Offset: at})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Stall)
	defer cancel()
	data, err := c.o.Ask(ctx, subject.File, body)
	if err != nil {
		return nil, err
	}
	reply := &pb.FileReply{}
	if err := proto.Unmarshal(data, reply); err != nil {
		return nil, fmt.Errorf("cannot read the answer: %v", err)
	}
	if reply.Error != "" {
		return nil, &answer{fmt.Sprintf("%.300q", reply.Error)}
	}
	return reply, nil
}

// take adds a piece that is the next one.
func (in *incoming) take(reply *pb.FileReply, limit int64) error {
	switch {
	case reply.Size > limit || in.size+int64(len(reply.Data)) > reply.Size:
		return errDamaged
	case len(reply.Data) == 0 && in.size < reply.Size:
		return errors.New("an empty piece came")
	}
	_, err := in.Write(reply.Data)
	return err
}
